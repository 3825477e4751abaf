"""The rooms of engine/detection/detect.py: files of a commit, configurations, models, test cases, one lineage."""
