"""
Kills at random moments: what goes on afterwards must end where an unbroken run does.
"""
