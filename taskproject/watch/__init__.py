"""How the site shows whether it works: signs of life, readiness, metrics."""
