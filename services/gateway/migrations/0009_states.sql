-- Where the engine keeps states.
select keep_states_in('{
    "cases": "cases", "contacts": "contacts", "policies": "policy", "absences": "absences", "reassignments": "reassignments",
    "presences": "presences", "routings": "routings", "staffing": "staffing",
    "branches": "roster", "employees": "roster", "lines": "roster", "serviceAccounts": "roster"
}');
