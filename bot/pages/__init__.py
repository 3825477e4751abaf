"""Pages in the browser: who is asking, what they may see, and what each page shows.

``application`` answers requests. ``access`` decides who sees which repository. Modules in ``views`` read the store and
name a template of ``engine.pages``.
"""
