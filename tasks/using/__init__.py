"""What every door does with a declared verb: see which are open, read what was typed, use it, say what came of it."""
