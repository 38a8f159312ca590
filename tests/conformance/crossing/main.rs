//! The Java client and administration tool on the other side.
