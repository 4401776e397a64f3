"""Money as pages and files show it: in the currency in which agents report it, which the server is not told."""

from decimal import Decimal


def amount(value: float | Decimal) -> str:
    """Hundredths; less than one of them to the millionth."""
    return f"{value:,.2f}" if not value or not -0.01 < value < 0.01 else f"{value:.6f}"
