"""The dashboards as descriptions: `python -m grafana.build` writes them as Grafana's JSON into grafana/dashboards."""
