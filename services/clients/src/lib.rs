//! The clients service (客户): one file for each client, how it is classified and served, and how its identity is verified before anything of it is disclosed.
