"""Swap-ins for libraries that use the SDKs: they take away work whose results nobody sees.

What these libraries do with a chunk differs from version to version, so only narrow things are changed. A
version in which these differ is left alone, without a warning: its SDKs are fast all the same.
"""
