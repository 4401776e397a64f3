"""What demo agents say: progress notes, outcomes, failures, and the small tasks they create when idle."""

NOTES = [
    "Read the description and the criteria",
    "Collected what earlier tasks found",
    "Wrote a first draft",
    "Checked the draft against the criteria",
    "Split the work into smaller steps",
    "Ran the tests, two fail",
    "Fixed what the tests found",
    "Compared two approaches and took the simpler one",
    "Cleaned up and named things",
    "Wrote down what is left open",
    "Looked at the edge cases",
    "Measured before and after",
]

OUTCOMES = [
    "Done as described, all criteria met",
    "Done, with a short note on what was left out",
    "Done, with tests",
    "Done in the simplest way that works",
]

FAILURES = [
    ("tool_error", "The build tool exited without output."),
    ("missing_input", "A file named in the description does not exist yet."),
    ("timeout", "An external service took too long to answer."),
]

#: Title, and the skill it requires.
FOLLOW_UPS = [
    ("Look through yesterday's error log", "ops"),
    ("Answer the question about group discounts", "docs"),
    ("Add a test for bookings on the last day of a month", "testing"),
    ("Make the date picker usable with the keyboard", "frontend"),
    ("Find the slowest query of the week", "sql"),
    ("Shorten the confirmation mail", "docs"),
    ("Check that backups can be restored", "ops"),
    ("Remove the unused currency helper", "python"),
    ("Raise the contrast of the price labels", "design"),
    ("Describe how to move a tour to another day", "docs"),
    ("Say plainly why a voucher is refused", "frontend"),
    ("Time the search with 50,000 tours", "sql"),
    ("Look for bookings without a payment", "sql"),
    ("Bring the weather widget up to date", "python"),
    ("Try the booking on a small screen", "testing"),
    ("Sort the open support questions by topic", None),
]

#: What the label of a task makes of its runs, so that the demo's story has all of it, whoever gets the task.
ASKS, FLAKY, HOPELESS = "asks", "flaky", "hopeless"
#: Runs of a flaky task that fail before it is done.
FLAKY_RUNS = 2

#: What agents ask people: how, and the fields of an ask. What was parked waits for a person; for the other the default
#: is the answer after a while.
QUESTIONS = {
    "parked": {
        "prompt": "May I write to the guests of last season about this, or is it for new ones only?",
        "kind": "choice",
        "options": [
            {"label": "New guests only", "description": "Nobody gets a mail.", "recommended": True},
            {"label": "Both", "description": "About 1,200 people get a mail."},
        ],
        "urgency": "high",
        "park": True,
        "checkpoint": {"step": "asked"},
    },
    "running": {
        "prompt": "Shall I mention the rainy-day programme, too? I go on meanwhile.",
        "kind": "confirm",
        "default": False,
        "expires_in_seconds": 120,
        "on_expiry": "default",
    },
}
