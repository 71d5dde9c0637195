internal import Glibc

// Everything else is in files of its own: a closure written here would belong to the main actor, and trap when a C
// library's thread calls it.
exit(Meterd.run(Array(CommandLine.arguments.dropFirst())))
