/* What the cases that are played with a client share. */
#include "conform.h"

void conform_due_in(conform_t *c, int64_t milliseconds)
{
    c->due = conform_now() + milliseconds;
}

bool conform_is_request(const copal_message_t *came)
{
    return (came->type == COPAL_CON || came->type == COPAL_NON) && came->code != COPAL_EMPTY &&
           COPAL_CODE_CLASS(came->code) == 0;
}

void conform_conclude(conform_t *c, copal_type_t type)
{
    conform_ask_t answer;
    conform_answer(c, &answer, &c->request, type, COPAL_CONTENT);
    answer.payload = copal_text("well done");
    conform_send_ask(c, &answer);
    if (c->verdict == VERDICT_NONE)
        c->verdict = VERDICT_PASSED;
}

bool conform_begins(conform_t *c, const copal_message_t *came)
{
    if (c->step || !came || !conform_is_request(came))
        return false;
    c->step = 1;
    if (came->type != COPAL_CON)
        conform_not_applicable(c, "the request is not Confirmable");
    return came->type == COPAL_CON;
}
