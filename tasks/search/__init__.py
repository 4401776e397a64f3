"""Full-text search of tasks, alike on every database.

``words`` makes words of texts and of what people type (pure); ``keeping`` stores those of tasks, in the transaction
that changes them; ``matching`` asks the database's index for the tasks that have them.
"""
