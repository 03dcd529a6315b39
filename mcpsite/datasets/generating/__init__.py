"""From a file to the declaration of a data set: `manage.py startdataset`."""
