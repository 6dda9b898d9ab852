//! Generates the parser tables from `src/policy.lalrpop`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=src/policy.lalrpop");
    lalrpop::Configuration::new()
        .emit_rerun_directives(true)
        .set_in_dir("src")
        .set_out_dir(std::env::var("OUT_DIR")?)
        .process()
}
