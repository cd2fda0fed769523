//! Has the functions linked to be small, where they are built for that.

fn main() {
    const SCRIPT: &str = "small.ld";
    println!("cargo::rerun-if-changed={SCRIPT}");
    let is = |variable: &str, value: &str| std::env::var_os(variable).is_some_and(|found| found == value);
    // Only `.cargo/config.toml` of this folder asks for this level, and for a panic that ends the process, without which there is no
    // doing without tables for unwinding. What a profile says of panics is not told here: `CARGO_CFG_PANIC` is about the target.
    if is("OPT_LEVEL", "z") && is("CARGO_CFG_TARGET_OS", "linux") {
        let folder = env!("CARGO_MANIFEST_DIR");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/{SCRIPT}");
    }
}
