internal import CLMDB

/// The file systems on which LMDB must not be used, since their locks, maps and syncs cannot be relied on.
public enum RemoteFileSystem {
  /// The type of the file system under `path`, such as `nfs`, if its disk is another machine's (by statfs(2)'s magic
  /// numbers); `nil` where it is local, or cannot be asked.
  public static func type(under path: String) -> String? {
    var status = statfs()
    guard statfs(path, &status) == 0 else { return nil }
    return name(ofMagic: UInt32(truncatingIfNeeded: status.f_type))
  }

  static func name(ofMagic magic: UInt32) -> String? {
    switch magic {
    case 0x6969: "nfs"
    case 0xff53_4d42: "cifs"
    case 0x517b, 0xfe53_4d42: "smb"
    case 0x6573_5546: "fuse"
    case 0x0102_1997: "9p"
    case 0x00c3_6400: "ceph"
    case 0x5346_414f, 0x6b41_4653: "afs"
    case 0x0bd0_0bd0: "lustre"
    case 0x7461_636f: "ocfs2"
    case 0x0116_1970: "gfs2"
    default: nil
    }
  }
}
