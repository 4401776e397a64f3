"""Events: recorded in the transaction of what happened, read in order, none missed, and put into words."""
