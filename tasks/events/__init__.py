"""Events: recorded in the transaction of what happened, read in order without gaps, and put into words."""
