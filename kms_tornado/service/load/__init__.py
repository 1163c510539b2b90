"""How much at once: the limits, budgets, queues and threads that all clients share."""
