-- Where the engine keeps states.
select keep_states_in('cases', 'contacts', 'roster', 'policy', 'absences', 'reassignments', 'presences', 'routings', 'staffing');
