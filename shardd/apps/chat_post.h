/* What a user without WebSocket says in a chat room: its messages come by POST. */
#ifndef SHARDD_CHAT_POST_H
#define SHARDD_CHAT_POST_H

struct kennel_request;

/* q's body is one message, as a WebSocket would send it. */
void	 chat_post(struct kennel_request *q);

#endif
