/* Notes of messages that were lost. */
#include "shardd/group/ask.h"
#include "shardd/group/note.h"

#define NOTE_KEEP	1024	/* bytes of an answer that is an error */

enum backlog_fate
note_drop(const struct link *l, struct gossip *m, int many)
{
	switch (m->type) {
	case GOSSIP_CAST:
	case GOSSIP_WHISPER:
	case GOSSIP_PUBLISH:
	case GOSSIP_TELL:
		m->of = many ? GOSSIP_CAST : m->type;
		m->after = m->seq - 1;
		if (many) {
			m->uid = m->topics = slice_of(NULL, 0);
			m->flags = 0;
		}
		m->head = slice_of(NULL, 0);
		m->flags &= GOSSIP_F_NOT_UID;
		break;
	case GOSSIP_STEP:
	case GOSSIP_REIGN:
	case GOSSIP_AT:
	case GOSSIP_NEWS:
	case GOSSIP_ACK:
	case GOSSIP_STATE:
		*m = (struct gossip){ .of = GOSSIP_NEWS, .to = m->to,
		    .from = m->from };
		break;
	case GOSSIP_ASK:
	case GOSSIP_UIDS:
		ask_missed(m->ask, l);
		return (BACKLOG_GONE);
	case GOSSIP_ANSWER:
		if ((m->flags & GOSSIP_F_ERROR) != 0 &&
		    m->payload.len <= NOTE_KEEP)
			return (BACKLOG_KEEP);
		m->flags = GOSSIP_F_ERROR;
		m->payload = slice_str("the answer could not be sent");
		return (BACKLOG_NOTE);
	default:
		return (BACKLOG_KEEP);
	}
	if (m->ask != 0)
		ask_missed(m->ask, l);
	m->type = GOSSIP_LOST;
	m->ask = 0;
	m->payload = slice_of(NULL, 0);
	return (BACKLOG_NOTE);
}

int
note_absent(const struct gossip *m, struct gossip *note)
{
	*note = (struct gossip){ .type = GOSSIP_LOST, .to = m->to,
	    .from = m->from };
	switch (m->type) {
	case GOSSIP_CAST:
	case GOSSIP_WHISPER:
	case GOSSIP_PUBLISH:
	case GOSSIP_TELL:
		note->seq = m->seq;
		note->said = m->said;
		return (1);
	case GOSSIP_STEP:
	case GOSSIP_REIGN:
	case GOSSIP_AT:
	case GOSSIP_NEWS:
	case GOSSIP_ACK:
	case GOSSIP_STATE:
		note->of = GOSSIP_NEWS;
		return (1);
	case GOSSIP_LOST:
		*note = *m;
		return (1);
	default:
		return (0);
	}
}
