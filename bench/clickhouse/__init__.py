"""Proof that ClickHouse gives the answers of our own engines, and what it would save: `docs/report-engines.md`."""
