"""The rooms of engine/detect.py: files of a commit, configurations, models, test cases, one lineage."""
