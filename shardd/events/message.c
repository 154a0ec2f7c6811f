/* A frame for the server, as the program gets it. */
#include "shardd/events/acks.h"
#include "shardd/events/inside.h"
#include "shardd/events/message.h"
#include "shardd/events/values.h"

void
message_give(struct events_socket *s, const struct fasttcp_frame *f, int ack,
    events_handler *run, void *arg)
{
	static struct buf	 kept;
	struct events		*e = s->server->events;
	struct events_message	 m;
	struct buf		 name = buf_take(&kept);

	buf_add(&name, f->event.data, f->event.len);
	buf_add(&name, "", 1);
	m.name = name.data;
	m.name_len = f->event.len;
	if (!name.failed) {
		m.ack = ack ? acks_new(s, f->id) : NULL;
		value_of(&m.value, f->data_type, f->data, e->serializer);
		run(s, &m, arg);
		value_end(&m.value, e->serializer);
		acks_handled(m.ack);
	}
	buf_give(&kept, &name);
}
