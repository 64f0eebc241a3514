SELECT roles.id, roles.name, roles.permissions FROM roles ORDER BY roles.id LIMIT 26;
