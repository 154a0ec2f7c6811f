/* Messages of the chat room, as JSON. */
#include <string.h>

#include "shardd/apps/chat_event.h"
#include "shardd/kennel.h"

#define CHAT_FLAGS	(JSON_COMPACT)

json_t *
chat_string(const char *s, size_t len)
{
	return (json_stringn(s, len));
}

json_t *
chat_event(const char *type, json_t *from)
{
	return (json_pack("{s:s, s:o, s:I}", "type", type, "from", from,
	    "time", (json_int_t)kennel_time()));
}

char *
chat_dump(json_t *o, size_t *len)
{
	char	*text = o == NULL ? NULL : json_dumps(o, CHAT_FLAGS);

	json_decref(o);
	*len = text == NULL ? 0 : strlen(text);
	return (text);
}

int
chat_is(const json_t *type, const char *name)
{
	return (json_is_string(type) &&
	    json_string_length(type) == strlen(name) &&
	    strcmp(json_string_value(type), name) == 0);
}
