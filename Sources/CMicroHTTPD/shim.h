// libmicrohttpd's start and its information getters are variadic, which Swift cannot call.
#pragma once
#include <microhttpd.h>
#include <stdarg.h>
#include <sys/socket.h>

static inline MHD_socket meterd_mhd_connection_socket(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info != NULL ? info->connect_fd : MHD_INVALID_SOCKET;
}

static inline const struct sockaddr *meterd_mhd_connection_remote(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  return info != NULL ? info->client_addr : NULL;
}

// Clients that go away in the middle are daily business, which libmicrohttpd would print to standard error.
static inline void meterd_mhd_ignore_log(void *context, const char *format, va_list arguments) {
  (void)context;
  (void)format;
  (void)arguments;
}

// Starts a daemon with epoll on an already listening socket. `threads` above 1 makes a pool.
static inline struct MHD_Daemon *meterd_mhd_start(
    MHD_socket listening, unsigned int threads, unsigned int connections, unsigned int idle_s, void *context,
    MHD_AccessHandlerCallback handle, void *(*begun)(void *, const char *, struct MHD_Connection *),
    MHD_RequestCompletedCallback completed) {
  return MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0, NULL, NULL, handle,
      context, MHD_OPTION_EXTERNAL_LOGGER, meterd_mhd_ignore_log, NULL, MHD_OPTION_LISTEN_SOCKET, listening,
      MHD_OPTION_URI_LOG_CALLBACK, begun, context, MHD_OPTION_NOTIFY_COMPLETED, completed, context,
      MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT, idle_s,
      threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, MHD_OPTION_END);
}
