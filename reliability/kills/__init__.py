"""
Kills of trainings at random moments: `--recover` must end where an unbroken training does.
"""
