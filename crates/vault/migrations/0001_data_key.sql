-- Data keys (数据密钥): one per subject of personal data, wrapped by a key-encryption key that never enters the
-- database. The table is created in whichever schema the search path names first, so every service has its own.

create table data_key (
    -- Whose data the key opens, as a resource name: 'clients/…' or, while the client is unknown, 'contacts/…'.
    subject text primary key,

    -- The data key under AES-256-GCM: format byte, nonce, ciphertext, tag. Null once the subject is erased;
    -- the row stays as a tombstone, so that no new key is ever made for an erased subject.
    wrapped bytea null,

    -- Which key-encryption key of the key ring wrapped it. Null together with `wrapped`.
    kek_id text null,

    -- When the key was made, by the database's clock. For operators only; nothing is decided by it.
    created_at timestamptz not null default now(),

    -- When the key was destroyed, by the database's clock. Set exactly when `wrapped` is null.
    erased_at timestamptz null,

    -- The client as whom a contact was identified. The contact keeps its key; erasing the client erases it too.
    linked_to text null,

    constraint data_key_erased_wholly
        check ((wrapped is null) = (kek_id is null) and (wrapped is null) = (erased_at is not null)),
    constraint data_key_not_linked_to_itself
        check (linked_to is null or linked_to <> subject)
);

-- Re-wrapping picks the keys under an older key-encryption key, and operators ask which ids are still in use;
-- both must stay cheap when millions of keys are up to date.
create index data_key_by_kek on data_key (kek_id) where kek_id is not null;

-- Erasing a client finds the contacts that were identified as that client.
create index data_key_by_link on data_key (linked_to) where linked_to is not null;
