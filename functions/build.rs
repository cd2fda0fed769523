//! Leaves out of the built functions what nobody reads: tables for unwinding, where a panic ends the process.

fn main() {
    const SCRIPT: &str = "without-unwinding.ld";
    println!("cargo::rerun-if-changed={SCRIPT}");
    let is = |variable: &str, value: &str| std::env::var_os(variable).is_some_and(|found| found == value);
    if is("CARGO_CFG_PANIC", "abort") && is("CARGO_CFG_TARGET_OS", "linux") {
        let folder = env!("CARGO_MANIFEST_DIR");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/{SCRIPT}");
    }
}
