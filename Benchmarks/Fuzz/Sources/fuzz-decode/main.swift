import Glibc

// libFuzzer calls judgeInput(_:_:) (FuzzDecode.swift): a C callback written here would belong to the main actor.
exit(runFuzzer())
