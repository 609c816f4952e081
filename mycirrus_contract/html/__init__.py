"""What the HTML reports of this project share. Needs Jinja at most.

Not here: what a report shows, which is beside the code that finds it out.
"""
