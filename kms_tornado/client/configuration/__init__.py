"""What a file, the environment and the command line say about the server and the user."""
