"""The public picture of the services: what the status page, its feeds and the Statuspage API show, and nothing else.

What is made here holds no transcript, address, person's name, ticket or telephone number: everything public is rendered from
`prober.status.picture.Picture`, so that there is one place to look at.
"""
