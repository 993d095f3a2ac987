"""What is true: pure rules and values. Nothing here reads a clock, a socket, a table or chance."""
