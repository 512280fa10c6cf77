"""What `sparring plugins new` writes: one working plugin for each kind, and the files of a package around it.

Each module is a plugin as it stands, so that ruff, mypy and the tests see what users will get; `template-name`,
`template_name` and `TemplateName` in it become the new plugin's names.
"""
