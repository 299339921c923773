// "Create, then insert" with supabase-js, unmodified. Prints what every call was answered.
import { createClient } from "@supabase/supabase-js";

const { SUPABASE_URL, SUPABASE_ANON_KEY, TOKEN, TENANTS } = process.env;
const client = createClient(SUPABASE_URL, SUPABASE_ANON_KEY, {
    accessToken: async () => TOKEN,
});
const answers = [];

const call = async (path, body) => {
    const { data, error } = await client.functions.invoke(path, { body });
    if (error) throw new Error(JSON.stringify(await error.context.json()));
    return data;
};

for (const schema_name of TENANTS.split(",")) {
    await call("schema-management/create_tenant_schema", { schema_name });
    const tenant = client.schema(schema_name);
    await call("access-control/open_support_access", {
        schema_name,
        reason: "a test",
        access_level: "admin",
    });
    answers.push((await tenant.from("settings").insert({ key: "a", value: 1 })).status);

    const columns = [
        { name: "id", type: "bigint", primary_key: true },
        { name: "title", type: "text" },
        { name: "parent_id", type: "bigint" },
    ];
    await call("ddl-operations/create_table", { schema_name, table_name: "orders", columns });
    const orders = () => tenant.from("orders");
    answers.push((await orders().insert({ title: "tea" })).status);
    const mixed = [{ id: 1, title: "chai" }, { title: "milk" }];
    answers.push((await orders().upsert(mixed, { defaultToNull: false })).status);

    await call("ddl-operations/add_column", {
        ...{ schema_name, table_name: "orders" },
        ...{ column_name: "size", column_type: "int" },
    });
    answers.push((await orders().insert([{ title: "mate", size: 1 }])).status);

    await call("ddl-operations/add_foreign_key", {
        ...{ schema_name, table_name: "orders", column_name: "parent_id" },
        foreign_table: "orders",
    });
    const embedded = await orders().select("id, parent:parent_id (id)");
    answers.push(embedded.status);

    // The next table of this name has other columns.
    await call("ddl-operations/drop_table", { schema_name, table_name: "orders" });
    const others = [{ name: "colour", type: "text" }];
    await call("ddl-operations/create_table", {
        ...{ schema_name, table_name: "orders", columns: others },
    });
    answers.push((await orders().insert([{ colour: "red" }])).status);
}
console.log(JSON.stringify(answers));
