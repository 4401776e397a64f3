"""Who should do what: facts, policies, solver, explanation, simulation. Pure: it sees neither database nor Django."""
