/* What is said in a chat room by HTTP: /broadcast, /whisper, /emit. */
#ifndef SHARDD_APPS_CHAT_HTTP_H
#define SHARDD_APPS_CHAT_HTTP_H

struct kennel_request;

/* verb: the path's last part, with its '/'.  1, and q is answered, now or later; or 0:
 * it is none of these, and nothing has happened. */
int	 chat_http(struct kennel_request *q, const char *verb);

#endif
