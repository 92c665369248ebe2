"""The same capture with its identifiers replaced, so that it can be shared.

The way of a capture through this folder, each step a pass over the file:

    find      requests -> identifiers, and the text they stand in (finding.py)
                 `fakes`: what stands in their place; `spelling`: the same through every encoding
    search    frames -> where any spelling of any of them stands (`needles`, `streams`, `bodies`; `tracing`: where in a
                 frame a segment lies) -> `edits`
    write     the file again, record by record (`records`), edited, with checksums that are as right, or as wrong, as
    before
                 (`checksums`)
    check     the copy is searched and scanned again: not one spelling may be left

`job` runs them. It fails closed: what was found and cannot be replaced stops it, with nothing written.
"""
