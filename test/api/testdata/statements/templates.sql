SELECT templates.id, templates.name, templates.variables FROM templates ORDER BY templates.id LIMIT 26;
