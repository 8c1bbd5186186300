def written(found, models):
    return ""
