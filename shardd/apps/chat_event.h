/* Messages of the chat room, as JSON. */
#ifndef SHARDD_APPS_CHAT_EVENT_H
#define SHARDD_APPS_CHAT_EVENT_H

#include <stddef.h>

#include <jansson.h>

/* NULL when it is not UTF-8, or without memory. */
json_t	*chat_string(const char *s, size_t len);
/* {"type":type,"from":from,"time":now}; from is taken.  NULL without memory. */
json_t	*chat_event(const char *type, json_t *from);
/* As text, to be freed; o is taken and may be NULL.  NULL without memory. */
char	*chat_dump(json_t *o, size_t *len);
/* Is it this type? */
int	 chat_is(const json_t *type, const char *name);

#endif
