"""What figures are measured in, and how the exact numbers of an engine become them."""

from decimal import Decimal
from fractions import Fraction

from reports.measures import Exact

#: Durations are measured in whole milliseconds, finer digits are artefacts of the clocks.
SECONDS = "seconds"
#: Money is measured in millionths, in the currency in which the agents report it.
MONEY = "money"
#: A number without a unit, measured in millionths.
RATIO = "ratio"
#: Measured as 0 or 1; the mean is a percentage.
FLAG = "flag"
PERCENT = "percent"
TOKENS = "tokens"


def settled(value: Exact | None, unit: str) -> int | float | Decimal | None:
    """``value`` in ``unit``: seconds with milliseconds, money with millionths, ratios with four decimals, whole numbers
    as they are, and other numbers with two decimals. Halves go to the even neighbour.
    """
    if value is None:
        return None
    if unit == SECONDS:
        return round(value) / 1000
    if unit == MONEY:
        return Decimal(round(value)).scaleb(-6)
    if unit == RATIO:
        return float(round(Fraction(value) / 1_000_000, 4))
    if unit == PERCENT:
        return float(round(Fraction(value) * 100, 2))
    return float(round(value, 2)) if isinstance(value, Fraction) else value
