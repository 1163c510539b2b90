"""Two users and a database writer: the parts of the model test in `tests/operations/test_two_users.py`.

`world` runs operations, and says what each user saw. `secrets` knows what nobody may see. `model` says
what the owner allowed. `database` writes to the database behind the server's back. `machine` has the moves.
"""
