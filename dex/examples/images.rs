//! Prints the images of the exchange's services, one a line. `cargo xtask images` builds and loads what this names.

fn main() {
    for image in dex::Release::images() {
        println!("{image}");
    }
}
