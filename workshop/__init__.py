"""The course for a class: JupyterHub on one machine (`make hub`), and how many learners it carries.

README.md says how to use it. Nothing of the course needs this folder, nor the packages it asks for.
"""
