"""Published tables in, one offline HTML file with its figures out; knows no Spark.

The charts are SVG written by hand. They are bars, lines, cells and dots, which need no plotting library: nothing to import
takes time, colours are CSS variables (so that one figure serves light, dark and print), text stays text, and each number
carries the table cell that it came from.
"""
