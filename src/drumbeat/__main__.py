"""`python -m drumbeat` is `drumbeat`."""

from drumbeat.cli import main

main()
