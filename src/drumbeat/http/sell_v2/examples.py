"""What answers of the Sell API look like: real ones, of an invented account."""

from __future__ import annotations

from typing import Any

LEAD: dict[str, Any] = {
    "data": {
        "id": 1,
        "creator_id": 2,
        "owner_id": 2,
        "first_name": "Lena",
        "last_name": "Lindt",
        "organization_name": "Lindt Lamps",
        "status": "New",
        "source_id": None,
        "unqualified_reason_id": None,
        "title": None,
        "description": None,
        "industry": None,
        "website": None,
        "email": "lena@customer.example",
        "phone": None,
        "mobile": None,
        "fax": None,
        "twitter": None,
        "facebook": None,
        "linkedin": None,
        "skype": None,
        "address": {"line1": None, "city": "Berlin", "postal_code": None, "state": None, "country": "DE"},
        "tags": ["webinar"],
        "custom_fields": {"plan": "pro"},
        "created_at": "2026-03-03T10:00:00Z",
        "updated_at": "2026-03-03T10:00:00Z",
    },
    "meta": {"type": "lead"},
}
CONTACT: dict[str, Any] = {
    "data": {
        "id": 1,
        "creator_id": 2,
        "owner_id": 2,
        "is_organization": False,
        "contact_id": None,
        "parent_organization_id": None,
        "name": "Carl Customer",
        "first_name": "Carl",
        "last_name": "Customer",
        "customer_status": "none",
        "prospect_status": "none",
        "title": None,
        "description": None,
        "industry": None,
        "website": None,
        "email": "carl@customer.example",
        "phone": None,
        "mobile": None,
        "fax": None,
        "twitter": None,
        "facebook": None,
        "linkedin": None,
        "skype": None,
        "address": None,
        "billing_address": None,
        "shipping_address": None,
        "tags": [],
        "custom_fields": {},
        "created_at": "2026-03-03T10:00:00Z",
        "updated_at": "2026-03-03T10:00:00Z",
    },
    "meta": {"type": "contact"},
}
TASK: dict[str, Any] = {
    "data": {
        "id": 1,
        "creator_id": 2,
        "owner_id": 2,
        "resource_type": "lead",
        "resource_id": 1,
        "content": "Call Lena",
        "due_date": "2026-03-05T16:00:00Z",
        "remind_at": None,
        "completed": False,
        "completed_at": None,
        "overdue": False,
        "created_at": "2026-03-03T10:00:00Z",
        "updated_at": "2026-03-03T10:00:00Z",
    },
    "meta": {"type": "task"},
}
ENROLLMENT: dict[str, Any] = {
    "data": {
        "id": 1,
        "actor_id": 2,
        "resource_type": "lead",
        "resource_id": 1,
        "created_at": "2026-03-03T10:00:00Z",
        "updated_at": "2026-03-03T10:00:00Z",
        "sequence": {
            "data": {
                "id": 2,
                "name": "A call and a letter",
                "steps_total": 2,
                "creator_id": 2,
                "updated_at": "2026-03-03T10:00:00Z",
                "created_at": "2026-03-03T10:00:00Z",
                "unsubscribe_settings": {"enabled": True, "locale": "en-US"},
            },
            "meta": {"type": "sequence"},
        },
        "state": "active",
        "current_step_position": 0,
        "enrollment_steps": {
            "items": [
                {
                    "data": {
                        "position": 0,
                        "delay_from_previous_step": 0,
                        "delay_from_previous_step_unit": "hours",
                        "overdue": False,
                        "action_type": "task",
                        "action_properties": {"task_content": "Call and ask about the lamp"},
                        "action": {
                            "data": {
                                "status": "scheduled",
                                "executed_at": None,
                                "estimated_execute_at": "2026-03-03T10:00:00Z",
                                "failure_reason": None,
                                "task_content": "Call and ask about the lamp",
                            },
                            "meta": {"type": "action"},
                        },
                    },
                    "meta": {"type": "enrollment_step"},
                },
                {
                    "data": {
                        "position": 1,
                        "delay_from_previous_step": 1,
                        "delay_from_previous_step_unit": "weekdays",
                        "overdue": False,
                        "action_type": "automated_email",
                        "action_properties": {"email_template_id": 1, "is_reply": False},
                        "action": {
                            "data": {
                                "status": "scheduled",
                                "executed_at": None,
                                "estimated_execute_at": "2026-03-04T10:00:00Z",
                                "failure_reason": None,
                            },
                            "meta": {"type": "action"},
                        },
                    },
                    "meta": {"type": "enrollment_step"},
                },
            ],
            "meta": {"type": "collection", "count": 2},
        },
        "finished_at": None,
        "finished_reason": None,
        "finished_actor_id": None,
    },
    "meta": {"type": "sequence_enrollment"},
}
FINISHED: dict[str, Any] = {
    "data": {
        "enrollment_action": "finish_ongoing",
        "updated_enrollments": {
            "items": [
                {
                    "data": {
                        "id": 1,
                        "actor_id": 2,
                        "resource_type": "lead",
                        "resource_id": 1,
                        "created_at": "2026-03-03T10:00:00Z",
                        "updated_at": "2026-03-03T10:00:00Z",
                        "sequence": {
                            "data": {
                                "id": 2,
                                "name": "A call and a letter",
                                "steps_total": 2,
                                "creator_id": 2,
                                "updated_at": "2026-03-03T10:00:00Z",
                                "created_at": "2026-03-03T10:00:00Z",
                                "unsubscribe_settings": {"enabled": True, "locale": "en-US"},
                            },
                            "meta": {"type": "sequence"},
                        },
                        "state": "finished",
                        "current_step_position": 0,
                        "enrollment_steps": {
                            "items": [
                                {
                                    "data": {
                                        "position": 0,
                                        "delay_from_previous_step": 0,
                                        "delay_from_previous_step_unit": "hours",
                                        "overdue": False,
                                        "action_type": "task",
                                        "action_properties": {"task_content": "Call and ask about the lamp"},
                                        "action": {
                                            "data": {
                                                "status": "cancelled",
                                                "executed_at": None,
                                                "estimated_execute_at": None,
                                                "failure_reason": None,
                                                "task_content": "Call and ask about the lamp",
                                            },
                                            "meta": {"type": "action"},
                                        },
                                    },
                                    "meta": {"type": "enrollment_step"},
                                },
                                {
                                    "data": {
                                        "position": 1,
                                        "delay_from_previous_step": 1,
                                        "delay_from_previous_step_unit": "weekdays",
                                        "overdue": False,
                                        "action_type": "automated_email",
                                        "action_properties": {"email_template_id": 1, "is_reply": False},
                                        "action": {
                                            "data": {
                                                "status": "cancelled",
                                                "executed_at": None,
                                                "estimated_execute_at": None,
                                                "failure_reason": None,
                                            },
                                            "meta": {"type": "action"},
                                        },
                                    },
                                    "meta": {"type": "enrollment_step"},
                                },
                            ],
                            "meta": {"type": "collection", "count": 2},
                        },
                        "finished_at": "2026-03-03T10:00:00Z",
                        "finished_reason": "manual",
                        "finished_actor_id": 2,
                    },
                    "meta": {"type": "sequence_enrollment"},
                }
            ],
            "meta": {"type": "collection", "count": 1},
        },
    },
    "meta": {"type": "sequence_enrollment_action"},
}
LEAD_CONVERSION: dict[str, Any] = {
    "data": {
        "id": 1,
        "creator_id": 2,
        "lead_id": 1,
        "individual_id": 3,
        "organization_id": 2,
        "deal_id": None,
        "created_at": "2026-03-03T10:00:00Z",
        "updated_at": "2026-03-03T10:00:00Z",
    },
    "meta": {"type": "lead_conversion"},
}
USER: dict[str, Any] = {
    "data": {
        "id": 2,
        "name": "Sam Seller",
        "email": "sam@northwind.example",
        "status": "active",
        "invited": False,
        "confirmed": True,
        "phone_number": None,
        "role": "user",
        "roles": [],
        "team_name": None,
        "group": None,
        "reports_to": None,
        "timezone": "UTC+01:00",
        "created_at": "2026-03-03T10:00:00Z",
        "updated_at": "2026-03-03T10:00:00Z",
        "deleted_at": None,
        "zendesk_user_id": None,
    },
    "meta": {"type": "user"},
}
ACCOUNT: dict[str, Any] = {
    "data": {
        "id": 1,
        "name": "Northwind Lamps",
        "currency": None,
        "time_format": "24H",
        "timezone": "UTC+01:00",
        "phone": None,
        "subdomain": None,
        "created_at": "2026-03-03T10:00:00Z",
        "updated_at": "2026-03-03T10:00:00Z",
    },
    "meta": {"type": "account"},
}
SEQUENCE: dict[str, Any] = {
    "data": {
        "id": 1,
        "name": "Two letters",
        "creator_id": 2,
        "steps_total": 2,
        "steps": {
            "items": [
                {
                    "data": {
                        "id": 10000,
                        "position": 0,
                        "action_type": "automated_email",
                        "delay_from_previous_step": 0,
                        "delay_from_previous_step_unit": "hours",
                        "action_properties": {"email_template_id": 1, "is_reply": False},
                    },
                    "meta": {"type": "step"},
                },
                {
                    "data": {
                        "id": 10001,
                        "position": 1,
                        "action_type": "automated_email",
                        "delay_from_previous_step": 2,
                        "delay_from_previous_step_unit": "weekdays",
                        "action_properties": {"email_template_id": 1, "is_reply": True},
                    },
                    "meta": {"type": "step"},
                },
            ],
            "meta": {"type": "collection", "count": 2},
        },
        "unsubscribe_settings": {"enabled": True, "locale": "en-US"},
        "created_at": "2026-03-03T10:00:00Z",
        "updated_at": "2026-03-03T10:00:00Z",
    },
    "meta": {"type": "sequence"},
}


def page(record: dict[str, Any], path: str) -> dict[str, Any]:
    """A page of a list that holds this record alone."""
    here = f"https://drumbeat.example/v2/{path}?page=1&per_page=25"
    return {
        "items": [record],
        "meta": {"type": "collection", "count": 1, "links": {"self": here, "first_page": here}},
    }
